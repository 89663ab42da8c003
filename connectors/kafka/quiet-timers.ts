/**
 * kafkajs 2.2.4, its last, asks for a timer after each response, pending requests or not: at the end of its throttling,
 * which is 1970 when there was none. Node prints a TimeoutNegativeWarning for each process that does so. Whoever loads
 * kafkajs loads this file, and then it asks only while something is pending.
 */
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';

const scheduleCheck = RequestQueue.prototype.scheduleCheckPendingRequests;
RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
  if (this.pending.length > 0) scheduleCheck.call(this);
};
