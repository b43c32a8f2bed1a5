import tseslint from 'typescript-eslint'
import { wordRules } from './eslint-words.js'

// Randomness comes from node:crypto only, and SQL is never glued together from strings.
const forbidden = [
  {
    selector: "MemberExpression[object.name='Math'][property.name='random']",
    message: 'Use node:crypto for randomness.',
  },
  {
    selector: "CallExpression[callee.object.name='sql'][callee.property.name='raw']:not([arguments.0.type='Literal'])",
    message: 'sql.raw takes literals only.',
  },
]

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.data/', 'bench/rivals/', 'test/consumer/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { identity: wordRules },
    rules: {
      'identity/words': 'error',
      'no-restricted-syntax': ['error', ...forbidden],
      'no-console': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      // `{ left, out, ...rest }` leaves members out.
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      // An interface over a schema has a name where an alias is shown as its members.
      '@typescript-eslint/no-empty-object-type': ['error', { allowInterfaces: 'with-single-extends' }],
    },
  },
  { files: ['src/**/*.ts', 'migrations/**/*.ts'], rules: { '@typescript-eslint/no-non-null-assertion': 'error' } },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts', 'examples/**/*.ts', 'scripts/**/*.ts'],
    rules: {
      'no-console': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            {
              from: 'package',
              package: 'node:test',
              name: ['test', 'it', 'describe', 'suite', 'before', 'after', 'beforeEach', 'afterEach'],
            },
          ],
        },
      ],
    },
  },
  // What must not compile is the compiler's to judge.
  { files: ['test/types/*.ts'], ignores: ['test/types/*.test.ts'], extends: [tseslint.configs.disableTypeChecked] },
)
