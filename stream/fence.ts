/** Whether an error says that another owner has taken over, so that this one must stop (E4, K4). */
import { MillraceError } from '../model/errors.ts';

export const isFence = (error: unknown): boolean => error instanceof MillraceError && error.handling === 'fence';
