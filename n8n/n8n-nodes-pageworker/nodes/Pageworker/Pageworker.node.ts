import type {
	IExecuteFunctions,
	INodeExecutionData,
	INodeType,
	INodeTypeDescription,
	IWebhookFunctions,
	IWebhookResponseData,
} from 'n8n-workflow';
import { NodeApiError, NodeConnectionTypes, NodeOperationError } from 'n8n-workflow';

import { jobFields, jobOperations } from './fields/jobFields';
import { otherFields, otherOperations } from './fields/otherFields';
import { getModuleFields, searchModules } from './modules';
import { OPERATIONS, submitAll } from './operations';
import { resume, runAndWait } from './runAndWait';

const OUTPUTS: `={{${string}}}` = `={{ $parameter.operation === 'runAndWait' && $parameter.onFailure === 'outputs'
	? [{ type: 'main', displayName: 'Succeeded' }, { type: 'main', displayName: 'Blocked' }, { type: 'main', displayName: 'Failed' }]
	: ['main'] }}`;

export class Pageworker implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Pageworker',
		name: 'pageworker',
		icon: {
			light: 'file:../../icons/pageworker.svg',
			dark: 'file:../../icons/pageworker.dark.svg',
		},
		group: ['transform'],
		version: [1],
		subtitle: '={{ $parameter["resource"] + ": " + $parameter["operation"] }}',
		description: 'Run browser jobs on pageworker',
		defaults: { name: 'Pageworker' },
		usableAsTool: true,
		inputs: [NodeConnectionTypes.Main],
		outputs: OUTPUTS,
		credentials: [{ name: 'pageworkerApi', required: true }],
		waitingNodeTooltip: 'The execution continues when the jobs have ended',
		webhooks: [
			{
				name: 'default',
				httpMethod: 'POST',
				responseMode: 'onReceived',
				path: '',
				restartWebhook: true,
				isFullPath: true,
			},
		],
		properties: [
			{
				displayName: 'Resource',
				name: 'resource',
				type: 'options',
				noDataExpression: true,
				options: [
					{ name: 'Artifact', value: 'artifact' },
					{ name: 'Batch', value: 'batch' },
					{ name: 'Job', value: 'job' },
					{ name: 'Limit', value: 'limit' },
					{ name: 'Module', value: 'module' },
				],
				default: 'job',
			},
			jobOperations,
			...otherOperations,
			...jobFields,
			...otherFields,
		],
	};

	methods = {
		listSearch: { searchModules },
		resourceMapping: { getModuleFields },
	};

	/** For triggers. The URL of a parked execution is registered nowhere. */
	webhookMethods = {
		default: {
			checkExists: async (): Promise<boolean> => true,
			create: async (): Promise<boolean> => true,
			delete: async (): Promise<boolean> => true,
		},
	};

	async webhook(this: IWebhookFunctions): Promise<IWebhookResponseData> {
		return await resume(this);
	}

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const resource = this.getNodeParameter('resource', 0);
		const operation = this.getNodeParameter('operation', 0);
		if (operation === 'runAndWait') return await runAndWait(this);
		if (resource === 'job' && operation === 'submit') return await submitAll(this);
		const found: INodeExecutionData[] = [];
		for (let itemIndex = 0; itemIndex < this.getInputData().length; itemIndex++) {
			try {
				found.push(...(await OPERATIONS[resource][operation](this, itemIndex)));
			} catch (error) {
				const known = error instanceof NodeApiError || error instanceof NodeOperationError;
				const failure = known ? error : new NodeOperationError(this.getNode(), error as Error, { itemIndex });
				if (!this.continueOnFail()) throw failure;
				found.push({ json: { error: failure.message }, error: failure, pairedItem: { item: itemIndex } });
			}
		}
		return [found];
	}
}
