import type {
	IDataObject,
	IHookFunctions,
	INodeType,
	INodeTypeDescription,
	IWebhookFunctions,
	IWebhookResponseData,
} from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';

import { CREDENTIAL } from '../Pageworker/api';
import { triggerFields } from './fields';
import { refusal } from './signature';
import { create, exists, remove } from './subscriptions';

export class PageworkerTrigger implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Pageworker Trigger',
		name: 'pageworkerTrigger',
		icon: {
			light: 'file:../../icons/pageworker.svg',
			dark: 'file:../../icons/pageworker.dark.svg',
		},
		group: ['trigger'],
		version: [1],
		subtitle: '={{ $parameter["events"].join(", ") }}',
		description: 'Starts the workflow when browser jobs of pageworker end, or need attention',
		defaults: { name: 'Pageworker Trigger' },
		usableAsTool: undefined,
		inputs: [],
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: CREDENTIAL, required: true }],
		webhooks: [{ name: 'default', httpMethod: 'POST', responseMode: 'onReceived', path: 'pageworker' }],
		properties: triggerFields,
	};

	webhookMethods = {
		default: {
			async checkExists(this: IHookFunctions): Promise<boolean> {
				return await exists(this);
			},
			async create(this: IHookFunctions): Promise<boolean> {
				return await create(this);
			},
			async delete(this: IHookFunctions): Promise<boolean> {
				return await remove(this);
			},
		},
	};

	async webhook(this: IWebhookFunctions): Promise<IWebhookResponseData> {
		const { callbackSecret } = await this.getCredentials<{ callbackSecret?: string }>(CREDENTIAL);
		const headers = this.getHeaderData() as Record<string, string>;
		const { rawBody } = this.getRequestObject();
		const why = callbackSecret
			? refusal(headers, rawBody, callbackSecret, Date.now() / 1000)
			: 'The credential has no callback secret.';
		if (why) {
			this.getResponseObject().status(401).json({ message: why });
			return { noWebhookResponse: true };
		}
		const event: IDataObject = { ...this.getBodyData(), id: headers['webhook-id'] };
		return { workflowData: [[{ json: event }]] };
	}
}
