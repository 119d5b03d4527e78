const address = /(https?:\/\/[^\s<>"']+)/
/** What ends a sentence is rarely the address's. */
const tail = /[.,:;!?)\]}’”]+$/

/** A message's text, with its addresses to click on; they open beside the page and are told nothing of it. */
export function Content({ text }: { text: string }) {
  return text.split(address).map((part, at) => {
    if (at % 2 === 0) return part
    const rest = tail.exec(part)?.[0] ?? ''
    const href = part.slice(0, part.length - rest.length)
    return (
      <span key={at}>
        <a href={href} target="_blank" rel="noopener noreferrer nofollow">
          {href}
        </a>
        {rest}
      </span>
    )
  })
}
