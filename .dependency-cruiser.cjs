/** Who may import whom (ARCHITECTURE.md). A breach fails `npm run check`. */
const tests = String.raw`\.(test|fixture)\.ts$|^test/|/contract/|\.contract\.ts$|/testing\.ts$`

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true, dependencyTypesNot: ['type-only'] } },
    {
      name: 'core-knows-only-itself-and-the-ports',
      severity: 'error',
      from: { path: '^server/core/', pathNot: tests },
      to: {
        pathNot: String.raw`^server/core/|^server/storage/storage\.ts$|^server/bus/bus\.ts$|^server/registry/registry\.ts$|^server/files/file-store\.ts$`,
      },
    },
    {
      name: 'ports-know-only-plain-types',
      severity: 'error',
      from: { path: String.raw`^server/(storage/(storage|entries)|bus/bus|registry/registry|files/file-store)\.ts$` },
      to: {
        pathNot: String.raw`^server/core/(model|events)\.ts$|^server/(storage/(storage|entries)|bus/bus|registry/registry|files/file-store)\.ts$`,
      },
    },
    {
      name: 'adapters-know-their-port-and-plain-types',
      severity: 'error',
      from: { path: '^server/(storage|bus|registry|files)/([^/]+)/', pathNot: tests },
      to: {
        path: '^server/',
        pathNot: String.raw`^server/$1/($2/|storage\.ts|bus\.ts|registry\.ts|file-store\.ts|kind\.ts)|^server/core/(model|events|texts)\.ts$|^server/storage/storage\.ts$|^server/redis/`,
      },
    },
    {
      name: 'kits-know-no-chat',
      severity: 'error',
      from: { path: '^server/(http|redis)/', pathNot: tests },
      to: { path: '^server/', pathNot: '^server/$1/' },
    },
    {
      name: 'dialects-know-core-and-http',
      severity: 'error',
      from: { path: '^server/dialects/([^/]+)/', pathNot: tests },
      to: {
        path: '^server/',
        pathNot: String.raw`^server/(core|http)/|^server/files/file-store\.ts$|^server/dialects/($1/|door\.ts$)`,
      },
    },
    {
      // What they have in common is the contract.
      name: 'browser-and-server-know-nothing-of-each-other',
      severity: 'error',
      from: { path: '^(server|web)/', pathNot: tests },
      to: { path: '^(server|web|test|bench)/', pathNot: '^$1/' },
    },
    {
      name: 'the-loader-has-nothing-but-itself',
      severity: 'error',
      from: { path: '^web/(loader/|[^/]+$)', pathNot: tests },
      to: { pathNot: String.raw`^web/(loader/|[^/]+\.ts$)` },
    },
    {
      name: 'nobody-imports-app',
      severity: 'error',
      from: { path: '^server/', pathNot: `^server/app/|${tests}` },
      to: { path: '^server/app/' },
    },
    {
      name: 'no-test-code-in-the-server',
      severity: 'error',
      from: { path: '^server/', pathNot: tests },
      to: { path: tests },
    },
    {
      name: 'no-development-dependencies-in-the-server',
      severity: 'error',
      from: { path: '^server/', pathNot: tests },
      to: { dependencyTypes: ['npm-dev'], pathNot: 'node_modules/@types/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Its parser reads no JSX: who imports these and what they import is the linter's to hold (.oxlintrc.json).
    exclude: { path: String.raw`\.tsx$` },
    parser: 'swc',
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.mjs', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default'],
    },
  },
}
