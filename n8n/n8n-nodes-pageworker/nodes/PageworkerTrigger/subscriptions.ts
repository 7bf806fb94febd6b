/** The subscription of one trigger: found, made and ended in the API. */
import type { IDataObject, IHookFunctions } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import { CREDENTIAL, repeatable, request } from '../Pageworker/api';
import { isSame, wantedOf } from './wanted';
import type { Listed, Wanted } from './wanted';

/** The key of the id in what n8n keeps of the node. */
const KEY = 'subscriptionId';

/** Whether the trigger has the subscription that it wants, and it is active. */
export async function exists(context: IHookFunctions): Promise<boolean> {
	const wanted = wantedBy(context);
	const found = (await listed(context)).find((each) => isSame(each, wanted) && each.state === 'active');
	if (found) context.getWorkflowStaticData('node')[KEY] = found.subscription_id;
	return found !== undefined;
}

/** Makes it. Others for the same URL are of an earlier version of the workflow, and end. */
export async function create(context: IHookFunctions): Promise<boolean> {
	const { callbackSecret } = await context.getCredentials<{ callbackSecret?: string }>(CREDENTIAL);
	if (!callbackSecret?.trim()) {
		throw new NodeOperationError(context.getNode(), 'The credential has no callback secret', {
			description: 'The trigger checks with it that events come from pageworker. The operator of pageworker has it.',
		});
	}
	const wanted = wantedBy(context);
	const { body } = await repeatable<Listed>(context, {
		method: 'POST',
		path: '/v1/subscriptions',
		body: { ...wanted } as unknown as IDataObject,
	});
	context.getWorkflowStaticData('node')[KEY] = body.subscription_id;
	for (const each of await listed(context)) {
		if (each.url === wanted.url && each.subscription_id !== body.subscription_id) {
			await end(context, each.subscription_id);
		}
	}
	return true;
}

/** Ends it. */
export async function remove(context: IHookFunctions): Promise<boolean> {
	const data = context.getWorkflowStaticData('node');
	const id = data[KEY];
	if (typeof id === 'string') await end(context, id);
	delete data[KEY];
	return true;
}

async function end(context: IHookFunctions, id: string): Promise<void> {
	const path = `/v1/subscriptions/${encodeURIComponent(id)}`;
	await repeatable(context, { method: 'DELETE', path, accepted: [404] });
}

async function listed(context: IHookFunctions): Promise<Listed[]> {
	const { body } = await request<{ subscriptions: Listed[] }>(context, {
		method: 'GET',
		path: '/v1/subscriptions',
	});
	return body.subscriptions;
}

function wantedBy(context: IHookFunctions): Wanted {
	const events = context.getNodeParameter('events') as string[];
	const modules = context.getNodeParameter('modules', '') as string;
	return wantedOf(context.getNodeWebhookUrl('default') as string, events, modules);
}
