import type { INodeProperties } from 'n8n-workflow';

export const triggerFields: INodeProperties[] = [
	{
		displayName: 'Events',
		name: 'events',
		type: 'multiOptions',
		required: true,
		default: ['job.*'],
		description: 'What starts the workflow',
		options: [
			{ name: 'Batch Done', value: 'event.batch_done', description: 'A batch is complete' },
			{ name: 'Budget', value: 'event.budget', description: 'A budget of the tenant is nearly or wholly used up' },
			{ name: 'Callback Failed', value: 'event.callback_failed', description: 'A callback was given up' },
			{ name: 'Job Blocked', value: 'job.blocked', description: 'A job ended: a site refuses automation' },
			{ name: 'Job Cancelled', value: 'job.cancelled', description: 'A job ended: it was cancelled' },
			{ name: 'Job Dead', value: 'job.dead', description: 'A job ended: it kept killing its runner' },
			{ name: 'Job Ended', value: 'job.*', description: 'A job ended, in whichever way' },
			{ name: 'Job Expired', value: 'job.expired', description: 'A job ended: it did not begin in time' },
			{ name: 'Job Failed', value: 'job.failed', description: 'A job ended with an error' },
			{ name: 'Job Rejected', value: 'job.rejected', description: 'A job ended: it is not valid' },
			{ name: 'Job Retrying', value: 'event.retrying', description: 'An attempt failed, and another follows' },
			{ name: 'Job Succeeded', value: 'job.succeeded', description: 'A job ended well' },
			{ name: 'Job Timed Out', value: 'job.timed_out', description: 'A job ended: its time was over' },
			{ name: 'Paused', value: 'event.paused', description: 'The tenant was paused' },
			{ name: 'Profile State', value: 'event.profile_state', description: 'A profile changed, such as its login' },
			{ name: 'Queue Limit', value: 'event.queue_limit', description: 'The backlog is nearly full' },
			{ name: 'Throttled', value: 'event.throttled', description: 'A limit of the tenant keeps jobs waiting' },
			{ name: 'Unpaused', value: 'event.unpaused', description: 'The pause of the tenant has ended' },
		],
	},
	{
		displayName: 'Modules',
		name: 'modules',
		type: 'string',
		default: '',
		placeholder: 'e.g. shop.product, invoices.*',
		description:
			'Only jobs of these modules, with commas between them; * stands for any characters. Empty: of all modules.',
	},
];
