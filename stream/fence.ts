/** Whether an error says that this run must stop: another owner has taken over (E4, K4), or what it rests on has changed. */
import { MillraceError } from '../model/errors.ts';

export const isFence = (error: unknown): boolean => error instanceof MillraceError && error.handling === 'fence';

/** Whether it is that alone, and nothing that the sink has said. */
export const isOtherOwner = (error: unknown): boolean =>
  error instanceof MillraceError && error.code === 'MR_OWNERSHIP_LOST';
