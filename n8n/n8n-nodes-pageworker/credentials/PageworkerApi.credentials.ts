import type {
	IAuthenticateGeneric,
	ICredentialTestRequest,
	ICredentialType,
	INodeProperties,
	Icon,
} from 'n8n-workflow';

export class PageworkerApi implements ICredentialType {
	name = 'pageworkerApi';

	displayName = 'Pageworker API';

	icon: Icon = { light: 'file:../icons/pageworker.svg', dark: 'file:../icons/pageworker.dark.svg' };

	documentationUrl =
		'https://github.com/pageworker/pageworker/tree/main/n8n/n8n-nodes-pageworker#credentials';

	properties: INodeProperties[] = [
		{
			displayName: 'Base URL',
			name: 'baseUrl',
			type: 'string',
			required: true,
			default: '',
			placeholder: 'e.g. https://pageworker.example',
			description: 'Where n8n reaches the process pageworker-api, without the path /v1',
		},
		{
			displayName: 'Token',
			name: 'token',
			type: 'string',
			typeOptions: { password: true },
			required: true,
			default: '',
			placeholder: 'pw_…',
			description: 'A token of one tenant with the scope producer',
		},
		{
			displayName: 'Callback Secret',
			name: 'callbackSecret',
			type: 'string',
			typeOptions: { password: true },
			default: '',
			description: 'The callback secret of the tenant. The trigger needs it to check that events come from pageworker.',
		},
	];

	authenticate: IAuthenticateGeneric = {
		type: 'generic',
		properties: {
			headers: { Authorization: '=Bearer {{$credentials.token.trim()}}' },
		},
	};

	test: ICredentialTestRequest = {
		request: {
			baseURL: '={{$credentials.baseUrl.trim().replace(/\\/+$/, "")}}',
			url: '/v1/whoami',
		},
	};
}
