/** Ports of the container of a worker pod. */

/** Health, metrics and positions. */
export const httpPort = 8080;
/** Named `records`: where a source listens that takes records. */
export const recordsPort = 8081;
