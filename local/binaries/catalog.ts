/**
 * The binaries of the local stack and of the chart's tests: tested version, where its release is published, how to build it.
 *
 * Checksums are never written here: they are read from where the release publishes them.
 */

export const binaryVersions = {
  'nats-server': '2.15.2',
  temporal: '1.5.1',
  etcd: '3.6.7',
  'kube-apiserver': '1.36.3',
  'kube-controller-manager': '1.36.3',
  'kube-scheduler': '1.36.3',
  kubectl: '1.36.3',
  helm: '4.3.1',
  kubelet: '1.36.3',
  'kube-proxy': '1.36.3',
  coredns: '1.15.0',
  'kube-router': '2.1.0',
} as const;

/** Only a real node needs them (test/node/). */
export const ofRealNode: ReadonlySet<string> = new Set(['kubelet', 'kube-proxy', 'coredns', 'kube-router']);

export type BinaryName = keyof typeof binaryVersions;

export interface BinarySpec {
  /** Arguments that print the version and exit with 0. */
  readonly versionArgs: readonly string[];
  /** Versions on PATH that may stand in: from the first (included) up to the second (excluded). */
  readonly fits: readonly [from: Version, below: Version];
  /** undefined: nothing is published for this platform. */
  readonly release: (platform: Platform, origins: Origins) => Release | undefined;
  readonly build: GoBuild;
}

export type Version = readonly [major: number, minor: number];

export interface Platform {
  readonly os: 'linux' | 'darwin';
  readonly arch: 'amd64' | 'arm64';
}

/** Where releases are published. */
export interface Origins {
  readonly github: string;
  readonly kubernetes: string;
  readonly helm: string;
}

export const officialOrigins: Origins = {
  github: 'https://github.com',
  kubernetes: 'https://dl.k8s.io',
  helm: 'https://get.helm.sh',
};

export interface Release {
  readonly url: string;
  /** `<sha256>  <file name>` lines, or the sum alone. */
  readonly checksumsUrl: string;
  /** Path of the executable inside the archive; undefined when the file itself is the executable. */
  readonly member?: string;
}

/** `install`: the module can be installed as it is. `tools`: it must be required by a module of ours. */
export type GoBuild =
  | { readonly kind: 'install'; readonly package: string; readonly version: string; readonly ldflags: string }
  | { readonly kind: 'tools'; readonly module: ToolsModule; readonly package: string };

export interface ToolsModule {
  readonly name: string;
  readonly requires: string;
  readonly version: string;
  readonly packages: readonly string[];
  readonly ldflags: string;
  /** Directories that the module replaces by its own staging: each is replaced by its published version. */
  readonly staging?: { readonly pattern: RegExp; readonly version: string };
}

const kubernetesPackage = (name: string) => `k8s.io/kubernetes/cmd/${name}`;
const kubernetesVersion = `v${binaryVersions['kube-apiserver']}`;

/** One module for all, so that shared packages compile once. */
const kubernetesTools: ToolsModule = {
  name: 'kubernetes',
  requires: 'k8s.io/kubernetes',
  version: kubernetesVersion,
  packages: ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl', 'kubelet', 'kube-proxy'].map(
    kubernetesPackage,
  ),
  // Without a version everything reports v0.0.0-master and version checks of clients stumble.
  ldflags: [
    '-s -w',
    `-X k8s.io/component-base/version.gitVersion=${kubernetesVersion}`,
    '-X k8s.io/component-base/version.gitMajor=1',
    '-X k8s.io/component-base/version.gitMinor=36',
    `-X k8s.io/client-go/pkg/version.gitVersion=${kubernetesVersion}`,
  ].join(' '),
  staging: { pattern: /(k8s\.io\/[a-z0-9-]+) => \.\/staging/g, version: kubernetesVersion.replace('v1.', 'v0.') },
};

/** A module of ours that requires one other, for one program of it. */
function toolOf(name: BinaryName, requires: string, program = requires, moreFlags: readonly string[] = []): GoBuild {
  const version = `v${binaryVersions[name]}`;
  const ldflags = ['-s -w', ...moreFlags].join(' ');
  return { kind: 'tools', module: { name, requires, version, packages: [program], ldflags }, package: program };
}

const helmFlags = [
  `-X helm.sh/helm/v4/internal/version.version=v${binaryVersions.helm}`,
  // What a chart sees when no cluster is asked.
  '-X helm.sh/helm/v4/pkg/chart/common.k8sVersionMajor=1',
  '-X helm.sh/helm/v4/pkg/chart/common.k8sVersionMinor=36',
];

export const catalog: Readonly<Record<BinaryName, BinarySpec>> = {
  'nats-server': {
    versionArgs: ['--version'],
    fits: [
      [2, 14],
      [3, 0],
    ],
    release({ os, arch }, { github }) {
      const version = binaryVersions['nats-server'];
      const base = `${github}/nats-io/nats-server/releases/download/v${version}`;
      const stem = `nats-server-v${version}-${os}-${arch}`;
      return { url: `${base}/${stem}.tar.gz`, checksumsUrl: `${base}/SHA256SUMS`, member: `${stem}/nats-server` };
    },
    build: {
      kind: 'install',
      package: 'github.com/nats-io/nats-server/v2',
      version: `v${binaryVersions['nats-server']}`,
      ldflags: '-s -w',
    },
  },
  temporal: {
    versionArgs: ['--version'],
    fits: [
      [1, 5],
      [2, 0],
    ],
    release({ os, arch }, { github }) {
      const version = binaryVersions.temporal;
      const base = `${github}/temporalio/cli/releases/download/v${version}`;
      const url = `${base}/temporal_cli_${version}_${os}_${arch}.tar.gz`;
      return { url, checksumsUrl: `${base}/checksums.txt`, member: 'temporal' };
    },
    build: {
      kind: 'install',
      package: 'github.com/temporalio/cli/cmd/temporal',
      version: `v${binaryVersions.temporal}`,
      ldflags: `-s -w -X github.com/temporalio/cli/temporalcli.Version=${binaryVersions.temporal}`,
    },
  },
  etcd: {
    versionArgs: ['--version'],
    fits: [
      [3, 6],
      [3, 7],
    ],
    release({ os, arch }, { github }) {
      const version = binaryVersions.etcd;
      const base = `${github}/etcd-io/etcd/releases/download/v${version}`;
      const stem = `etcd-v${version}-${os}-${arch}`;
      const suffix = os === 'darwin' ? 'zip' : 'tar.gz';
      return { url: `${base}/${stem}.${suffix}`, checksumsUrl: `${base}/SHA256SUMS`, member: `${stem}/etcd` };
    },
    build: toolOf('etcd', 'go.etcd.io/etcd/server/v3'),
  },
  'kube-apiserver': kubernetesBinary('kube-apiserver'),
  'kube-controller-manager': kubernetesBinary('kube-controller-manager'),
  'kube-scheduler': kubernetesBinary('kube-scheduler'),
  kubectl: {
    ...kubernetesBinary('kubectl'),
    versionArgs: ['version', '--client'],
    fits: [
      [1, 28],
      [2, 0],
    ],
  },
  kubelet: kubernetesBinary('kubelet'),
  'kube-proxy': kubernetesBinary('kube-proxy'),
  coredns: {
    versionArgs: ['-version'],
    fits: [
      [1, 11],
      [2, 0],
    ],
    release({ os, arch }, { github }) {
      const version = binaryVersions.coredns;
      const url = `${github}/coredns/coredns/releases/download/v${version}/coredns_${version}_${os}_${arch}.tgz`;
      return { url, checksumsUrl: `${url}.sha256`, member: 'coredns' };
    },
    build: toolOf('coredns', 'github.com/coredns/coredns'),
  },
  // Enforces NetworkPolicies on a test's node, in the node's own network, and is nowhere else: flaws of it are known. The
  // newest that can be had as a Go module.
  'kube-router': {
    versionArgs: ['--version'],
    fits: [
      [2, 1],
      [3, 0],
    ],
    release: () => undefined,
    build: toolOf(
      'kube-router',
      'github.com/cloudnativelabs/kube-router/v2',
      'github.com/cloudnativelabs/kube-router/v2/cmd/kube-router',
      [`-X github.com/cloudnativelabs/kube-router/v2/pkg/version.Version=${binaryVersions['kube-router']}`],
    ),
  },
  helm: {
    versionArgs: ['version', '--short'],
    fits: [
      [3, 14],
      [5, 0],
    ],
    release({ os, arch }, { helm }) {
      const url = `${helm}/helm-v${binaryVersions.helm}-${os}-${arch}.tar.gz`;
      return { url, checksumsUrl: `${url}.sha256sum`, member: `${os}-${arch}/helm` };
    },
    build: toolOf('helm', 'helm.sh/helm/v4', 'helm.sh/helm/v4/cmd/helm', helmFlags),
  },
};

function kubernetesBinary(name: BinaryName): BinarySpec {
  return {
    versionArgs: ['--version'],
    fits: [
      [1, 36],
      [1, 37],
    ],
    release({ os, arch }, { kubernetes }) {
      // Server binaries are published for Linux only.
      if (os === 'darwin' && name !== 'kubectl') return undefined;
      const url = `${kubernetes}/v${binaryVersions[name]}/bin/${os}/${arch}/${name}`;
      return { url, checksumsUrl: `${url}.sha256` };
    },
    build: { kind: 'tools', module: kubernetesTools, package: kubernetesPackage(name) },
  };
}
