/** Options that take a duration: `30s`, `5m`. */
import { InvalidArgumentError, Option } from 'commander';

export function durationOption(flags: string, description: string, byDefault: string): Option {
  return new Option(flags, description).default(byDefault).argParser((value: string) => {
    if (!/^[0-9]{1,9}(ms|s|m|h)$/.test(value)) throw new InvalidArgumentError('It must be like 30s, 5m or 1h.');
    return value;
  });
}
