import { useState } from 'react'

/** As many as panel.css has. */
const tints = 8

/** A picture from elsewhere is asked for without telling where from, over https alone (W7); else, and where it fails, the name's initial. */
export function Avatar({ name, address }: { name: string; address: string | null }) {
  const [failed, setFailed] = useState<string | null>(null)
  if (address?.startsWith('https://') && failed !== address)
    return (
      <img
        className="avatar"
        src={address}
        alt=""
        referrerPolicy="no-referrer"
        loading="lazy"
        decoding="async"
        onError={() => setFailed(address)}
      />
    )
  return (
    <span className={`avatar tint${tintOf(name)}`} aria-hidden="true">
      {initialOf(name)}
    </span>
  )
}

function initialOf(name: string): string {
  // Composed, as a syllable's first letter is no initial.
  const [first = '?'] = name.normalize().trim()
  return first.toUpperCase()
}

function tintOf(name: string): number {
  let sum = 0
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)!) % 65_521
  return sum % tints
}
