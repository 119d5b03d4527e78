/** Runs before every test file. */
import fc from 'fast-check'
import { watchFetch } from './conformance.ts'

/** Each answer that a test fetches is held against the OpenAPI document of its server. */
watchFetch()

/** The gate tells the same stories each time, so that it judges the change and not the draw. Elsewhere they are new ones each time. */
if (process.env['CI'] !== undefined) fc.configureGlobal({ seed: 1 })
