/** Programs that some tests need and not every machine has. */
import { describe, it } from 'vitest'

/** Without the program the tests are skipped by name; where CI is set, its absence is a failure. */
export function describeWith(program: string, isInstalled: boolean, name: string, tests: () => void): void {
  if (isInstalled) describe(name, tests)
  else if (process.env['CI'] === 'true')
    // A test that fails says more than a suite that throws.
    it(`${name}: ${program} is installed`, () => {
      throw new Error('it is not')
    })
  else
    describe.skip(`${name}: ${program} is not installed`, () => {
      it('needs one')
    })
}
