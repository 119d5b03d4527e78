/** `npm run build`: the server as ESM for Node 20 in dist/; its dependencies stay in node_modules. */
import { copyFile, mkdir } from 'node:fs/promises'
import { createRequire, isBuiltin } from 'node:module'
import { defineConfig, type Plugin } from 'rolldown'
import { documentFiles } from './server/dialects/guild/documents.ts'

const out = 'dist'

const files = { ...documentFiles, 'redoc.standalone.js.LICENSE.txt': 'redoc/bundles/redoc.standalone.js.LICENSE.txt' }

/** What /docs and /redoc load, beside the bundle: redoc is a development dependency, and of swagger-ui they need three files. */
const copyDocuments: Plugin = {
  name: 'copy-documents',
  async writeBundle() {
    const { resolve } = createRequire(import.meta.url)
    await mkdir(`${out}/documents`, { recursive: true })
    await Promise.all(Object.entries(files).map(([name, source]) => copyFile(resolve(source), `${out}/documents/${name}`)))
  },
}

export default defineConfig({
  // The worker stands beside the file that starts it, under this name (server/storage/postgres/keeper.ts).
  input: { main: 'server/app/main.ts', 'pglite-worker': 'server/storage/postgres/pglite-worker.js' },
  platform: 'node',
  external: (id) => isBuiltin(id) || /^[\w@][^:]*$/.test(id),
  plugins: [copyDocuments],
  output: { dir: out, format: 'esm', entryFileNames: '[name].js', chunkFileNames: '[name].js', cleanDir: true },
})
