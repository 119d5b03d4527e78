// Completes package-lock.json after `npm install`: a registry mirror that holds only this machine's platform packages makes
// npm leave the others out of the lock, and `npm ci` then refuses it. Each is an optional dependency with an exact version, so
// its entry can be written from its parent's. Run: node .ci/complete-lock.mjs
import { readFileSync, writeFileSync } from 'node:fs'

const file = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(file, 'utf8'))
const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const processors = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64']

function platformOf(name) {
  const words = name.split(/[-/]/)
  const os = systems.find((system) => words.includes(system))
  const cpu = processors.find((processor) => words.includes(processor))
  return { ...(cpu && { cpu: [cpu] }), ...(os && { os: [os] }) }
}

for (const [path, parent] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const platform = platformOf(name)
    if (!/^\d/.test(version) || !(platform.os ?? platform.cpu)) continue
    const entry = { version, ...platform, ...(parent.dev && { dev: true }), optional: true }
    const hoisted = (lock.packages[`node_modules/${name}`] ??= entry)
    if (hoisted.version !== version) lock.packages[`${path}/node_modules/${name}`] ??= entry
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => (a < b ? -1 : 1)))
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
