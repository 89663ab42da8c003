import { deepEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { allFiles, root } from './sources.ts';

/** What people outside import: the package, and the programs that are started by their path. */
const doors = [
  /^client\/index\.ts$/,
  /^cli\/millrace\.ts$/,
  /^workflows\/index\.ts$/,
  /^examples\//,
  /^scripts\//,
  /^bench\//,
  /^test\//,
];

interface Module {
  readonly exports: readonly Exported[];
  /** Imported file → names; `*` for a namespace or `import()`. */
  readonly imports: readonly (readonly [file: string, name: string])[];
}

interface Exported {
  readonly name: string;
  /** A type that the module's own signatures name: its readers need the word, though nobody writes it down. */
  readonly isUsedType: boolean;
}

function moduleOf(file: string): Module {
  const source = ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest, true);
  const exports: Exported[] = [];
  const isUsedType = (node: ts.Node, name: string) =>
    (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) &&
    [...source.text.matchAll(new RegExp(`\\b${name}\\b`, 'g'))].length > 1;
  const imports: (readonly [string, string])[] = [];
  const target = (specifier: ts.Expression | undefined) =>
    specifier !== undefined && ts.isStringLiteralLike(specifier) && specifier.text.startsWith('.')
      ? join(file, '..', specifier.text)
      : undefined;
  const take = (from: string | undefined, ...names: readonly string[]) => {
    if (from !== undefined) for (const name of names) imports.push([from, name]);
  };

  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const bindings = node.importClause?.namedBindings;
      const isNamed = bindings !== undefined && ts.isNamedImports(bindings);
      const names = isNamed ? bindings.elements.map((it) => (it.propertyName ?? it.name).text) : ['*'];
      take(target(node.moduleSpecifier), ...names);
    } else if (ts.isExportDeclaration(node)) {
      const named = node.exportClause && ts.isNamedExports(node.exportClause) ? node.exportClause.elements : [];
      take(
        target(node.moduleSpecifier),
        ...(named.length > 0 ? named.map((it) => (it.propertyName ?? it.name).text) : ['*']),
      );
      exports.push(...named.map((it) => ({ name: it.name.text, isUsedType: false })));
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      take(target(node.arguments[0]), '*');
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      take(target(node.argument.literal), '*');
    } else if (isExported(node)) {
      exports.push(...declaredNames(node).map((name) => ({ name, isUsedType: isUsedType(node, name) })));
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { exports, imports };
}

function isExported(node: ts.Node): boolean {
  return (
    ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
  );
}

function declaredNames(node: ts.Node): readonly string[] {
  if (ts.isVariableStatement(node)) {
    return node.declarationList.declarations.flatMap(({ name }) => (ts.isIdentifier(name) ? [name.text] : []));
  }
  return 'name' in node && node.name !== undefined && ts.isIdentifier(node.name as ts.Node)
    ? [(node.name as ts.Identifier).text]
    : [];
}

const modules = new Map(allFiles().map((file) => [file, moduleOf(file)]));

describe('exports', () => {
  it('are imported by another file', () => {
    const taken = new Set(
      [...modules.values()].flatMap(({ imports }) => imports.map(([file, name]) => `${file} ${name}`)),
    );
    const unused = [...modules]
      .filter(([file]) => !doors.some((door) => door.test(file)) && !taken.has(`${file} *`))
      .flatMap(([file, { exports }]) => exports.flatMap((it) => (it.isUsedType ? [] : `${file} ${it.name}`)))
      .filter((one) => !taken.has(one));
    deepEqual(unused, []);
  });
});
