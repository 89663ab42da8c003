/** Plans that change under load. */
import { row } from '../support/suite.ts';

export const edits = [
  row('carries out an edit under load, without losing or repeating a row', async ({ orders }) => {
    await orders.change({ factor: 2 });
    await orders.carries(2);
    await orders.ready();
    await orders.flows();
  }),
];
