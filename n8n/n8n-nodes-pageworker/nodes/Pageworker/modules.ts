/** The modules that the tenant may run. */
import type {
	IDataObject,
	ILoadOptionsFunctions,
	INodeListSearchResult,
	ResourceMapperFields,
} from 'n8n-workflow';

import type { ApiAnswer, ApiCaller } from './api';
import { request } from './api';
import type { Schema } from './moduleFields';
import { mapperFields } from './moduleFields';

/** `input`: the JSON Schema of the payload. */
export interface ListedModule extends IDataObject {
	name: string;
	version: string;
}

interface ModulePage {
	modules: ListedModule[];
	/** Where the next page begins; null: there is none. */
	next: string | null;
}

const MODULES_PER_PAGE = 100;

/** All modules, in the order of their names. */
export async function modules(caller: ApiCaller): Promise<ListedModule[]> {
	const found: ListedModule[] = [];
	let after: string | null = '';
	while (after !== null) {
		const query: IDataObject = { count: MODULES_PER_PAGE, ...(after ? { after } : {}) };
		const { body }: ApiAnswer<ModulePage> = await request(caller, { method: 'GET', path: '/v1/modules', query });
		found.push(...body.modules);
		after = body.next;
	}
	return found;
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

/** For the fields of the chosen module. They are those of the version that a job gets without a pin. */
export async function getModuleFields(this: ILoadOptionsFunctions): Promise<ResourceMapperFields> {
	const chosen = this.getNodeParameter('module', '', { extractValue: true }) as string;
	const [name] = chosen.split('@');
	if (!name) return { fields: [] };
	const path = `/v1/modules/${encodeURIComponent(name)}`;
	const { body } = await request<ListedModule>(this, { method: 'GET', path });
	return { fields: mapperFields(body.input as Schema | undefined) };
}
