/** A Redis of the run's own: on the load's core, with nothing on disk. */
import { spawnSync } from 'node:child_process'
import { acceptsConnections, findFreePort, makeDirectory, startChild, waitFor } from './processes.ts'

export interface Redis {
  url: string
  close(): Promise<void>
}

/** Throws where there is none. */
export async function openRedis(cores: string | undefined): Promise<Redis> {
  if (spawnSync('redis-server', ['--version']).status !== 0) throw new Error('Redis is not installed')
  const port = await findFreePort()
  const settings = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    makeDirectory('redis'),
  ]
  const child = startChild(['redis-server', ...settings], { name: 'redis', cores })
  await waitFor(child, () => acceptsConnections(port), 5_000)
  return { url: `redis://127.0.0.1:${port}`, close: () => child.stop() }
}
