/** Black or white, whichever is the easier to read on this `#rrggbb` (WCAG 2's contrast). */
export function inkOn(color: string): string {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255
    return part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
  // Where both contrasts are the same: (1.05 / (l + 0.05)) = ((l + 0.05) / 0.05).
  return luminance > 0.179 ? '#14120f' : '#ffffff'
}
