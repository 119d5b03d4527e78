/** An nginx of a test's own, in front of a server. */
import { execFile, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from './chat.ts'
import { findPort } from './child.ts'
import { describeWith } from './programs.ts'

/** Where Debian has it; not on everybody's PATH. */
const program = '/usr/sbin/nginx'

export function describeNginx(name: string, tests: () => void): void {
  describeWith(program, spawnSync(program, ['-v']).status === 0, name, tests)
}

/** As `describeNginx`, for one that speaks https. */
export function describeSecureNginx(name: string, tests: () => void): void {
  const isInstalled = spawnSync(program, ['-v']).status === 0 && spawnSync('openssl', ['version']).status === 0
  describeWith(`${program} with openssl`, isInstalled, name, tests)
}

export interface TestNginx {
  port: number
  /** `http://127.0.0.1:<port>`, or https. */
  url: string
  stop(): Promise<void>
}

/**
 * `server`: what stands in its server block beside `listen`; all else is as nginx has it when nobody says. A secure one has a certificate
 * that nobody signed.
 */
export async function startNginx(server: string, { isSecure = false } = {}): Promise<TestNginx> {
  const directory = await mkdtemp(join(tmpdir(), 'madang-nginx-'))
  const port = await findPort()
  const listen = `listen 127.0.0.1:${port}${isSecure ? ` ssl;\n${await makeCertificate(directory)}` : ';'}`
  await writeFile(join(directory, 'nginx.conf'), settings(directory, `${listen}\n${server}`))
  const child = spawn(program, ['-p', directory, '-c', join(directory, 'nginx.conf'), '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const isReady = () => {
    if (child.exitCode !== null) throw new Error(`nginx did not start:\n${said}`)
    // Written once it listens; that somebody listens at its port does not say that it is this one.
    return existsSync(join(directory, 'pid'))
  }
  await until(() => `an nginx that listens; it said:\n${said}`, isReady)
  return {
    port,
    url: `${isSecure ? 'https' : 'http'}://127.0.0.1:${port}`,
    async stop() {
      child.kill('SIGTERM')
      await exited
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** For every name below `.test`, for a day. */
async function makeCertificate(directory: string): Promise<string> {
  const [certificate, key] = [join(directory, 'certificate.pem'), join(directory, 'key.pem')]
  const kind =
    '-x509 -days 1 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=test -addext subjectAltName=DNS:*.test'
  await promisify(execFile)('openssl', ['req', ...kind.split(' '), '-out', certificate, '-keyout', key])
  return `ssl_certificate ${certificate}; ssl_certificate_key ${key};`
}

/** One process, with nothing outside its directory. */
function settings(directory: string, server: string): string {
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((of) => `${of}_temp_path ${directory}/${of};`)
  return `
    daemon off;
    master_process off;
    pid ${directory}/pid;
    error_log stderr;
    events {}
    http {
      access_log off;
      ${places.join('\n')}
      server {
        ${server}
      }
    }`
}
