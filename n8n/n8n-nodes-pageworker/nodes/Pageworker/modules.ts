/** The modules that the tenant may run. */
import type {
	IDataObject,
	ILoadOptionsFunctions,
	INodeListSearchResult,
	ResourceMapperFields,
} from 'n8n-workflow';

import type { ApiCaller } from './api';
import { request } from './api';
import type { Schema } from './moduleFields';
import { mapperFields } from './moduleFields';

export interface ListedModule extends IDataObject {
	name: string;
	version: string;
}

/** All modules, in the order of their names. */
export async function modules(caller: ApiCaller): Promise<ListedModule[]> {
	const { body } = await request<{ modules: ListedModule[] }>(caller, { method: 'GET', path: '/v1/modules' });
	return body.modules;
}

/** For the list of the parameter "Module". */
export async function searchModules(
	this: ILoadOptionsFunctions,
	filter?: string,
): Promise<INodeListSearchResult> {
	const wanted = filter?.toLowerCase() ?? '';
	const found = (await modules(this)).filter(({ name }) => name.toLowerCase().includes(wanted));
	return { results: found.map(({ name, version }) => ({ name: `${name} (${version})`, value: name })) };
}

/** For the fields of the chosen module. A version behind the name is that of the job, not of the list. */
export async function getModuleFields(this: ILoadOptionsFunctions): Promise<ResourceMapperFields> {
	const chosen = this.getNodeParameter('module', '', { extractValue: true }) as string;
	const [name] = chosen.split('@');
	const found = (await modules(this)).find((module) => module.name === name);
	return { fields: mapperFields(found?.input_schema as Schema | undefined) };
}
