/**
 * Apache Kafka's jars, resolved once with Maven into the cache and then used from there.
 *
 * J1  The directory appears whole or not at all: jars are copied beside it and it is renamed into place.
 * J2  Maven refuses a jar whose checksum differs from the one published with it (`--strict-checksums`).
 */
import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { mr, problemOf } from '../../model/errors.ts';
import { isSystemError } from '../../model/system-error.ts';

const kafkaVersion = '4.1.0';
const scalaVersion = '2.13';

const run = promisify(execFile);

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>io.millrace</groupId><artifactId>kafka-jars</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_${scalaVersion}</artifactId><version>${kafkaVersion}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`;

export interface JarsOptions {
  /** Default: `MILLRACE_KAFKA_JARS`, else `~/.cache/millrace/kafka-<version>`. */
  readonly cache?: string;
  /** Called with progress when it takes longer than a look into the cache. */
  readonly progress?: (message: string) => void;
}

function kafkaCache(env: NodeJS.ProcessEnv = process.env): string {
  const caches = env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return env['MILLRACE_KAFKA_JARS'] ?? join(caches, 'millrace', `kafka-${kafkaVersion}`);
}

/** A directory with the jars of Kafka and all it needs. Throws MR_BINARY_MISSING, with what to install. */
export async function resolveKafkaJars(options: JarsOptions = {}): Promise<string> {
  const cache = options.cache ?? kafkaCache();
  if (await isComplete(cache)) return cache;
  options.progress?.(`Resolving Apache Kafka ${kafkaVersion} with Maven into ${cache} (43 MB, once)`);
  await mkdir(dirname(cache), { recursive: true });
  const work = await mkdtemp(`${cache}.part-`);
  try {
    await copyJars(work);
    await moveIntoPlace(join(work, 'lib'), cache);
  } catch (error) {
    throw missing(error);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  options.progress?.(`Apache Kafka ${kafkaVersion} is in ${cache}`);
  return cache;
}

async function copyJars(work: string): Promise<void> {
  await writeFile(join(work, 'pom.xml'), pom);
  const args = ['-q', '-B', '--strict-checksums', 'dependency:copy-dependencies', '-DincludeScope=runtime'];
  await run('mvn', [...args, `-DoutputDirectory=${join(work, 'lib')}`], { cwd: work, maxBuffer: 16 * 2 ** 20 });
  if (!(await isComplete(join(work, 'lib')))) throw new Error(`Maven copied ${(await readdir(work)).join(', ')} only`);
}

/** Another process may have been faster: its directory is used then. */
async function moveIntoPlace(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!(await isComplete(to))) throw error;
  }
}

async function isComplete(dir: string): Promise<boolean> {
  const needed = [`kafka_${scalaVersion}-${kafkaVersion}.jar`, `kafka-clients-${kafkaVersion}.jar`];
  try {
    await Promise.all(needed.map((jar) => access(join(dir, jar))));
    return true;
  } catch {
    return false;
  }
}

function missing(error: unknown) {
  const noMaven = isSystemError(error, 'ENOENT');
  return mr(
    'MR_BINARY_MISSING',
    {
      binary: 'Apache Kafka',
      version: kafkaVersion,
      problem: noMaven ? 'Maven (mvn) is not installed' : problemOf(error),
      hint: noMaven
        ? 'Install Maven and Java 17 or later, or set MILLRACE_KAFKA_JARS to the libs directory of a Kafka distribution.'
        : 'See what Maven says above.',
    },
    { cause: error },
  );
}
