const paths = {
  close: 'M6 9.5l6 6 6-6',
  send: 'M12 19V5.5M5.5 12L12 5.5l6.5 6.5',
  down: 'M12 5v13.5M5.5 12.5L12 19l6.5-6.5',
  clock: 'M12 7v5l3 2M20.5 12a8.5 8.5 0 11-17 0 8.5 8.5 0 0117 0z',
  alert: 'M12 7.5v5.5M12 16.5h.01M20.5 12a8.5 8.5 0 11-17 0 8.5 8.5 0 0117 0z',
  offline: 'M4 4l16 16M8.5 15.5a5 5 0 017 0M5.5 12a9.5 9.5 0 014-2.4M18.5 12a9.5 9.5 0 00-5-2.6M12 19h.01',
}

export function Icon({ name }: { name: keyof typeof paths }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  )
}

/** The yard: a wide low roof, and two who talk under it. */
export function Yard() {
  return (
    <svg className="yard" viewBox="0 0 160 104" aria-hidden="true">
      <path
        className="yard-one"
        d="M30 22h54a14 14 0 0114 14v16a14 14 0 01-14 14H52l-14 12V66h-8a14 14 0 01-14-14V36a14 14 0 0114-14z"
      />
      <path
        className="yard-two"
        d="M92 44h34a14 14 0 0114 14v12a14 14 0 01-14 14h-4v10l-12-10H92a14 14 0 01-14-14V58a14 14 0 0114-14z"
      />
      <path className="yard-line" d="M34 40h38M34 50h22" />
      <path className="yard-dots" d="M97 64h.01M109 64h.01M121 64h.01" />
    </svg>
  )
}
