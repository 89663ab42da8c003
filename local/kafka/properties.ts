/** server.properties of a single KRaft node on loopback. Pure: what is asked for in, text out. */

export type KafkaProtocol = 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL';
export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';

export interface KafkaUser {
  readonly username: string;
  readonly password: string;
}

export interface ServerSettings {
  readonly logDir: string;
  readonly controllerPort: number;
  /** PLAINTEXT is always among them: the broker uses it for itself. */
  readonly listeners: readonly { readonly protocol: KafkaProtocol; readonly port: number }[];
  readonly users: readonly KafkaUser[];
  readonly autoCreateTopics: boolean;
  readonly keystore: { readonly file: string; readonly password: string } | null;
}

const saslMechanisms: readonly SaslMechanism[] = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'];

export function serverProperties(settings: ServerSettings): string {
  const { listeners } = settings;
  const at = listeners.map(({ protocol, port }) => `${protocol}://127.0.0.1:${port}`);
  const lines = [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@127.0.0.1:${settings.controllerPort}`,
    'controller.listener.names=CONTROLLER',
    `listeners=${[...at, `CONTROLLER://127.0.0.1:${settings.controllerPort}`].join(',')}`,
    `advertised.listeners=${at.join(',')}`,
    `listener.security.protocol.map=${['CONTROLLER:PLAINTEXT', ...listeners.map(({ protocol }) => `${protocol}:${protocol}`)].join(',')}`,
    'inter.broker.listener.name=PLAINTEXT',
    `log.dirs=${settings.logDir}`,
    'num.partitions=1',
    `auto.create.topics.enable=${settings.autoCreateTopics}`,
    'offsets.topic.replication.factor=1',
    'offsets.topic.num.partitions=4',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    'transaction.state.log.num.partitions=4',
    'share.coordinator.state.topic.replication.factor=1',
    'share.coordinator.state.topic.min.isr=1',
    'group.initial.rebalance.delay.ms=0',
  ];
  if (settings.keystore) {
    const { file, password } = settings.keystore;
    lines.push('ssl.keystore.type=PKCS12', `ssl.keystore.location=${file}`, `ssl.keystore.password=${password}`);
  }
  const sasl = listeners.filter(({ protocol }) => protocol.startsWith('SASL_'));
  if (sasl.length > 0) lines.push(`sasl.enabled.mechanisms=${saslMechanisms.join(',')}`);
  for (const { protocol } of sasl) lines.push(...saslLines(protocol, settings.users));
  return `${lines.join('\n')}\n`;
}

/** Users of PLAIN are in the listener's login module; those of SCRAM in the metadata, written when it is formatted. */
function saslLines(protocol: KafkaProtocol, users: readonly KafkaUser[]): string[] {
  const prefix = `listener.name.${protocol.toLowerCase()}`;
  const security = 'org.apache.kafka.common.security';
  const plainUsers = users.map(({ username, password }) => ` user_${username}="${password}"`).join('');
  return [
    `${prefix}.plain.sasl.jaas.config=${security}.plain.PlainLoginModule required${plainUsers};`,
    `${prefix}.scram-sha-256.sasl.jaas.config=${security}.scram.ScramLoginModule required;`,
    `${prefix}.scram-sha-512.sasl.jaas.config=${security}.scram.ScramLoginModule required;`,
  ];
}

/** Arguments for the storage tool that make the users known to SCRAM. */
export function scramArguments(users: readonly KafkaUser[]): string[] {
  return users.flatMap(({ username, password }) =>
    (['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const).flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name=${username},password=${password}]`,
    ]),
  );
}
