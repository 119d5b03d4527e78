/**
 * The widget's browser code into dist/web: `vite build` makes the panel, with hashed names; `vite build --mode loader` makes `widget.js`,
 * which has a fixed name and declares nothing on the host's page but `Madang`.
 */
import { fileURLToPath } from 'node:url'
import { defineConfig, type UserConfig } from 'vite'

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))

const both: UserConfig = {
  publicDir: false,
  logLevel: 'warn',
}

// Both builds write there; `rolldown -c`, the first step of `npm run build`, has emptied dist.
const build = { outDir: path('dist/web'), emptyOutDir: false, modulePreload: false, reportCompressedSize: false } as const

const panel: UserConfig = { ...both, root: path('web/panel'), base: '/widget/', build: { ...build, assetsInlineLimit: 0 } }

const loader: UserConfig = {
  ...both,
  root: path('web/loader'),
  build: {
    ...build,
    rolldownOptions: {
      input: path('web/loader/loader.ts'),
      output: { format: 'iife', entryFileNames: 'widget.js' },
    },
  },
}

export default defineConfig(({ mode }) => (mode === 'loader' ? loader : panel))
