/**
 * Lint rule `house/imports`: which top-level folder may import which (docs/decisions/001-layout.md).
 *
 * Static imports, re-exports, `import()` and `typeof import()` alike. A folder that is not in the table may import all.
 */

/** `types`: only `import type`. `within`: of such a folder, only these files and folders. */
const table = {
  model: { may: [] },
  schema: { may: ['model'] },
  workflows: { may: ['model'] },
  stream: { may: ['model'] },
  connectors: { may: ['model', 'schema'], types: ['stream'] },
  transforms: { may: ['model', 'schema'], types: ['stream'] },
  crds: {
    may: ['model', 'schema', 'connectors', 'transforms'],
    within: { connectors: ['registry.ts'], transforms: ['registry.ts', 'expression/'] },
  },
  kubernetes: { may: ['model'], types: ['crds'] },
  activities: { may: ['model', 'crds', 'kubernetes', 'stream'] },
  client: { may: ['model'], types: ['crds'] },
  local: { may: ['model', 'kubernetes'] },
  deploy: { may: ['model'] },
  workers: {
    may: ['model', 'crds', 'kubernetes', 'workflows', 'activities', 'stream', 'connectors', 'transforms', 'client'],
  },
  cli: { may: ['model', 'crds', 'kubernetes', 'client', 'workers', 'local'] },
};

/**
 * The top-level folder that `path` leads to from a file `depth` folders below the root, and the path within; undefined
 * when it stays inside.
 */
function targetOf(path, depth) {
  const parts = path.split('/');
  const ups = parts.findIndex((part) => part !== '..');
  if (parts[0] !== '..' || ups !== depth) return undefined;
  return { to: parts[ups], file: parts.slice(ups + 1).join('/') };
}

function isWithin(places, file) {
  return (
    places === undefined || places.some((place) => (place.endsWith('/') ? file.startsWith(place) : file === place))
  );
}

export const imports = {
  meta: { type: 'problem', schema: [], messages: { forbidden: '{{from}}/ must not import {{to}}/{{but}}' } },
  create(context) {
    const parts = context.filename.slice(context.cwd.length + 1).split('/');
    const [from] = parts;
    const allowed = table[from];
    if (allowed === undefined) return {};
    const check = (node, source, isType) => {
      const target = typeof source === 'string' ? targetOf(source, parts.length - 1) : undefined;
      if (target === undefined || target.to === from) return;
      const { to, file } = target;
      if (allowed.may.includes(to)) {
        const places = allowed.within?.[to];
        if (isWithin(places, file)) return;
        context.report({ node, messageId: 'forbidden', data: { from, to, but: `, but for ${places.join(', ')}` } });
        return;
      }
      const typesOnly = allowed.types?.includes(to) === true;
      if (typesOnly && isType) return;
      context.report({ node, messageId: 'forbidden', data: { from, to, but: typesOnly ? ', but for types' : '' } });
    };
    const isTypeImport = (node) =>
      node.importKind === 'type' ||
      (node.specifiers.length > 0 && node.specifiers.every((specifier) => specifier.importKind === 'type'));
    return {
      ImportDeclaration: (node) => check(node, node.source.value, isTypeImport(node)),
      ExportNamedDeclaration: (node) => check(node, node.source?.value, node.exportKind === 'type'),
      ExportAllDeclaration: (node) => check(node, node.source.value, node.exportKind === 'type'),
      ImportExpression: (node) => check(node, node.source.value, false),
      TSImportType: (node) => check(node, node.source?.value ?? node.argument?.literal?.value, true),
    };
  },
};
