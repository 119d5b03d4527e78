/** Runs before every test file: each answer that a test fetches is held against the OpenAPI document of its server. */
import { watchFetch } from './conformance.ts'

watchFetch()
