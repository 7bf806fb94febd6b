import type { INodeProperties } from 'n8n-workflow';

export const otherOperations: INodeProperties[] = [
	{
		displayName: 'Operation',
		name: 'operation',
		type: 'options',
		noDataExpression: true,
		displayOptions: { show: { resource: ['artifact'] } },
		options: [
			{
				name: 'Download',
				value: 'download',
				action: 'Download an artifact',
				description: 'Get a screenshot, a download or another file of a job',
			},
		],
		default: 'download',
	},
	{
		displayName: 'Operation',
		name: 'operation',
		type: 'options',
		noDataExpression: true,
		displayOptions: { show: { resource: ['batch'] } },
		options: [
			{
				name: 'Cancel',
				value: 'cancel',
				action: 'Cancel a batch',
				description: 'Stop the jobs of a batch that have not ended',
			},
			{
				name: 'Get',
				value: 'get',
				action: 'Get a batch',
				description: 'See how many jobs of a batch wait, run, and have ended',
			},
			{
				name: 'Run and Wait',
				value: 'runAndWait',
				action: 'Run a batch and wait for its results',
				description: 'Submit all items as one batch, wait for one callback, and continue with the results',
			},
		],
		default: 'runAndWait',
	},
	{
		displayName: 'Operation',
		name: 'operation',
		type: 'options',
		noDataExpression: true,
		displayOptions: { show: { resource: ['limit'] } },
		options: [
			{
				name: 'Get',
				value: 'get',
				action: 'Get limits',
				description: 'See what the tenant may use, and what it uses',
			},
		],
		default: 'get',
	},
	{
		displayName: 'Operation',
		name: 'operation',
		type: 'options',
		noDataExpression: true,
		displayOptions: { show: { resource: ['module'] } },
		options: [
			{
				name: 'Get Many',
				value: 'getAll',
				action: 'Get many modules',
				description: 'List the modules that the tenant may run, with the schemas of their input',
			},
		],
		default: 'getAll',
	},
];

export const otherFields: INodeProperties[] = [
	{
		displayName: 'Batch ID',
		name: 'batchId',
		type: 'string',
		default: '={{ $json.batch_id }}',
		required: true,
		displayOptions: { show: { resource: ['batch'], operation: ['get', 'cancel'] } },
	},
	{
		displayName: 'Job ID',
		name: 'jobId',
		type: 'string',
		default: '={{ $json.job_id }}',
		required: true,
		displayOptions: { show: { resource: ['artifact'] } },
	},
	{
		displayName: 'Number',
		name: 'number',
		type: 'number',
		typeOptions: { minValue: 0 },
		default: 0,
		description: 'The position of the artifact in the result, from 0',
		displayOptions: { show: { resource: ['artifact'] } },
	},
	{
		displayName: 'Put Output File in Field',
		name: 'binaryPropertyName',
		type: 'string',
		default: 'data',
		required: true,
		hint: 'The name of the output binary field',
		displayOptions: { show: { resource: ['artifact'] } },
	},
	{
		displayName: 'Return All',
		name: 'returnAll',
		type: 'boolean',
		default: true,
		description: 'Whether to return all results or only up to a given limit',
		displayOptions: { show: { resource: ['module'] } },
	},
	{
		displayName: 'Limit',
		name: 'limit',
		type: 'number',
		typeOptions: { minValue: 1 },
		default: 50,
		description: 'Max number of results to return',
		displayOptions: { show: { resource: ['module'], returnAll: [false] } },
	},
];
