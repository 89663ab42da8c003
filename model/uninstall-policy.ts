/** What happens to pipelines when Millrace is uninstalled (`workers/uninstall/`, `uninstall.policy` of the chart). */
export const uninstallPolicies = ['Block', 'Drain', 'Orphan'] as const;
export type UninstallPolicy = (typeof uninstallPolicies)[number];
