import assert from 'node:assert/strict';
import { join } from 'node:path';
import ts from 'typescript';
import { blocksOf, root, trackedFiles } from './blocks.ts';

const snippets = trackedFiles('*.md').flatMap((file) => blocksOf(file).filter(({ language }) => language === 'ts'));

const parseHost: ts.ParseConfigFileHost = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined };

describe('TypeScript in the documents', () => {
  it('is what the compiler takes, with the types of the package', () => {
    const files = new Map(
      snippets.map(({ file, line, text }, i) => [join(root, 'test/docs', `snippet-${i}.ts`), { file, line, text }]),
    );
    assert.ok(files.size > 0);
    const { options } = ts.getParsedCommandLineOfConfigFile(join(root, 'tsconfig.json'), {}, parseHost)!;
    const host = ts.createCompilerHost(options);
    const read = host.getSourceFile.bind(host);
    host.getSourceFile = (path, ...more) => {
      const snippet = files.get(path);
      return snippet ? ts.createSourceFile(path, snippet.text, ts.ScriptTarget.Latest) : read(path, ...more);
    };
    const program = ts.createProgram([...files.keys()], { ...options, noUnusedLocals: false }, host);
    const found = [...files].flatMap(([path, { file, line }]) => {
      const source = program.getSourceFile(path);
      return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map((problem) => {
        const at = source?.getLineAndCharacterOfPosition(problem.start ?? 0).line ?? 0;
        return `${file}:${line + at + 1} ${ts.flattenDiagnosticMessageText(problem.messageText, ' ')}`;
      });
    });
    assert.deepEqual(found, []);
  });
});
