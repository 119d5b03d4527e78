// Development and tests only: Node 20 reads no .ts in a worker, not even with tsx in its parent or in execArgv.
import { tsImport } from 'tsx/esm/api'

await tsImport('./pglite-worker.ts', import.meta.url)
