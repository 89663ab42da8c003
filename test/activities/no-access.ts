/** Of an installation whose NATS and registry ask for nothing. */
import type { PodAccess } from '../../activities/index.ts';

export const noAccess: PodAccess = { nats: () => Promise.resolve(undefined), pullConfig: () => undefined };
