/** The input schema of a module (JSON Schema) as fields of n8n's resource mapper. Pure. */
import type { FieldType, INodePropertyOptions, ResourceMapperField } from 'n8n-workflow';

export type Schema = Record<string, unknown>;

/** Nested references that are followed: a schema may refer to itself. */
const MAX_REFERENCES = 8;

const TYPES: Record<string, FieldType> = {
	array: 'array',
	boolean: 'boolean',
	integer: 'number',
	number: 'number',
	object: 'object',
	string: 'string',
};

/** One field per property of the schema, the required ones first. An empty list: the schema names no properties. */
export function mapperFields(schema: Schema | null | undefined): ResourceMapperField[] {
	if (!schema) return [];
	const whole = resolved(schema, schema);
	const properties = (whole.properties ?? {}) as Record<string, Schema>;
	const required = new Set((whole.required as string[] | undefined) ?? []);
	const fields = Object.entries(properties).map(([name, property]) =>
		mapperField(name, resolved(property, schema), required.has(name)),
	);
	return [...fields.filter((field) => field.required), ...fields.filter((field) => !field.required)];
}

function mapperField(name: string, property: Schema, required: boolean): ResourceMapperField {
	const options = optionsOf(property);
	const field: ResourceMapperField = {
		id: name,
		displayName: typeof property.title === 'string' && property.title ? property.title : name,
		required,
		defaultMatch: false,
		canBeUsedToMatch: false,
		display: true,
		removed: !required,
	};
	const type = options ? 'options' : typeOf(property);
	if (type) field.type = type;
	if (options) field.options = options;
	const { default: value } = property;
	if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
		field.defaultValue = value;
	}
	return field;
}

/** The schema behind local references, and behind a choice between one schema and null. */
function resolved(schema: Schema, root: Schema): Schema {
	let found = schema;
	for (let count = 0; count < MAX_REFERENCES; count++) {
		const { $ref: reference, ...rest } = found;
		const choices = ((found.anyOf ?? found.oneOf) as Schema[] | undefined)?.filter(
			(choice) => choice.type !== 'null',
		);
		if (typeof reference === 'string') {
			found = { ...target(reference, root), ...rest };
		} else if (choices?.length === 1) {
			found = { ...choices[0], ...found, anyOf: undefined, oneOf: undefined };
		} else {
			return found;
		}
	}
	return found;
}

function target(reference: string, root: Schema): Schema {
	if (!reference.startsWith('#/')) return {};
	let found: unknown = root;
	for (const part of reference.slice(2).split('/')) {
		const name = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
		found = (found as Schema | undefined)?.[name];
	}
	return (found as Schema | undefined) ?? {};
}

/** What may be chosen. n8n's options hold text, numbers and booleans. */
function optionsOf(property: Schema): INodePropertyOptions[] | undefined {
	const values = (property.enum as unknown[] | undefined)?.filter((value) => value !== null);
	if (!values?.length) return undefined;
	if (!values.every((value) => typeof value === 'string' || typeof value === 'number')) return undefined;
	return values.map((value) => ({ name: String(value), value: value as string | number }));
}

/** n8n's type; undefined for a property of several types, or of none: n8n passes any value on. */
function typeOf(property: Schema): FieldType | undefined {
	const { type, format } = property;
	const types = (Array.isArray(type) ? type : [type]).filter((each) => each !== 'null');
	if (types.length !== 1) return undefined;
	if (types[0] === 'string' && format === 'date-time') return 'dateTime';
	return TYPES[types[0] as string];
}
