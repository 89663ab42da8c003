/** Server-side apply with force: what the local stack sets up is the truth, and a newer stack takes it over at its start. */
import { mr } from '../../../model/errors.ts';
import { requestApi, type ApiAccess } from './request.ts';

export interface AppliedObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly [field: string]: unknown;
}

/** `collection`: path of the objects of its kind, as `/api/v1/namespaces/default/configmaps`. Throws MR_KUBERNETES_REFUSED. */
export async function applyTo(access: ApiAccess, collection: string, object: AppliedObject): Promise<void> {
  const { name } = object.metadata;
  const path = `${collection}/${name}?fieldManager=millrace-dev&force=true`;
  const content = { type: 'application/apply-patch+yaml', text: JSON.stringify(object) };
  const { status, body } = await requestApi(access, 'PATCH', path, content);
  if (status === 200 || status === 201) return;
  throw mr('MR_KUBERNETES_REFUSED', { object: `${object.kind} ${name}`, problem: body });
}
