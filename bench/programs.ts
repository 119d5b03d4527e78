/** The C programs, built where there is a compiler. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { makeDirectory } from './processes.ts'

export interface Programs {
  load: string
  relay: string
}

/** undefined where there is no C compiler. Throws when there is one and it refuses. */
export function buildPrograms(): Programs | undefined {
  const compiler = ['gcc', 'cc'].find((name) => spawnSync(name, ['--version']).status === 0)
  if (compiler === undefined) return undefined
  const directory = makeDirectory('programs')
  return { load: build(compiler, directory, 'load'), relay: build(compiler, directory, 'relay') }
}

function build(compiler: string, directory: string, name: string): string {
  const program = join(directory, name)
  const source = join(import.meta.dirname, `${name}.c`)
  // Both programs include the same headers and neither uses all of them.
  const flags = ['-O2', '-Wall', '-Wextra', '-Wno-unused-function']
  const { status, stderr } = spawnSync(compiler, [...flags, '-o', program, source], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${compiler} ${source}:\n${stderr}`)
  return program
}
