import js from '@eslint/js';
import tseslint from 'typescript-eslint';
import importX from 'eslint-plugin-import-x';

/** Who may import whom (docs/decisions/001-layout.md). Key: a folder; value: the folders it must not reach. */
const mustNotImport = {
  workflows: ['activities', 'workers', 'stream', 'connectors', 'transforms', 'client', 'cli', 'deploy'],
  stream: ['workflows', 'activities', 'workers', 'connectors', 'transforms', 'client', 'cli', 'deploy'],
  transforms: ['workflows', 'activities', 'workers', 'connectors', 'client', 'cli', 'deploy'],
  connectors: ['workflows', 'activities', 'workers', 'transforms', 'client', 'cli', 'deploy'],
  activities: ['workflows', 'workers', 'client', 'cli', 'deploy'],
  client: ['activities', 'workers', 'stream', 'cli', 'deploy'],
};

const crdsMayNotImport = ['workflows', 'activities', 'workers', 'stream', 'client', 'cli', 'deploy'];

const boundary = (folder, forbidden) => ({
  files: [`${folder}/**/*.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: forbidden.map((other) => ({
          regex: `^(\\.\\./)+${other}/`,
          message: `${folder}/ must not import ${other}/`,
        })),
      },
    ],
  },
});

export default tseslint.config(
  { ignores: ['node_modules', 'dist', '.millrace', '**/*.js', '**/*.mjs'] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { 'import-x': importX },
    rules: {
      'no-console': 'error',
      'import-x/no-duplicates': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  boundary('crds', crdsMayNotImport),
  ...Object.entries(mustNotImport).map(([folder, forbidden]) => boundary(folder, forbidden)),
  {
    files: ['test/**/*.ts'],
    rules: { '@typescript-eslint/no-unused-expressions': 'off', '@typescript-eslint/require-await': 'off' },
  },
);
