/** `nats://app:secret@a:4222,b:4222` → `a:4222,b:4222`: an address for messages, without what is secret in it. */
export function hostsOf(natsUrl: string): string {
  const host = (address: string) =>
    address
      .trim()
      .replace(/^\w+:\/\//, '')
      .replace(/^.*@/, '')
      .replace(/\/.*$/, '');
  return natsUrl.split(',').map(host).join(',');
}
