/**
 * kafkajs 2.2.4, its last version, sets a timer after each response, pending requests or not: for the end of its
 * throttling, which is 1970 when there was none. Node prints a TimeoutNegativeWarning for each process that does so.
 * Code that loads kafkajs must load this file, which makes it set the timer only while something is pending.
 */
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';

const scheduleCheck = RequestQueue.prototype.scheduleCheckPendingRequests;
RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
  if (this.pending.length > 0) scheduleCheck.call(this);
};
