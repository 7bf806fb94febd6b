import assert from 'node:assert/strict';
import { test } from 'node:test';

import { mapperFields } from '../nodes/Pageworker/moduleFields.js';

const types = (properties: Record<string, object>) =>
	Object.fromEntries(mapperFields({ properties }).map(({ id, type }) => [id, type]));

test('each type of JSON Schema has its type of field', () => {
	assert.deepEqual(
		types({
			text: { type: 'string' },
			when: { type: 'string', format: 'date-time' },
			count: { type: 'integer' },
			price: { type: 'number' },
			on: { type: 'boolean' },
			list: { type: 'array' },
			map: { type: 'object' },
			optional: { type: ['string', 'null'] },
			either: { type: ['string', 'integer'] },
			any: {},
		}),
		{
			text: 'string',
			when: 'dateTime',
			count: 'number',
			price: 'number',
			on: 'boolean',
			list: 'array',
			map: 'object',
			optional: 'string',
			either: undefined,
			any: undefined,
		},
	);
});

test('required fields come first, and are shown at once', () => {
	const fields = mapperFields({ properties: { a: {}, b: { title: 'Bee' } }, required: ['b'] });
	assert.deepEqual(
		fields.map(({ id, displayName, required, removed }) => [id, displayName, required, removed]),
		[
			['b', 'Bee', true, false],
			['a', 'a', false, true],
		],
	);
});

test('a choice is a list, and a default is filled in', () => {
	const [field] = mapperFields({ properties: { mode: { enum: ['fast', 'full', null], default: 'fast' } } });
	assert.equal(field.type, 'options');
	assert.deepEqual(field.options?.map(({ value }) => value), ['fast', 'full']);
	assert.equal(field.defaultValue, 'fast');
});

test('references of a msgspec schema are followed, and one to itself ends', () => {
	const fields = mapperFields({
		$ref: '#/$defs/Input',
		$defs: {
			Input: {
				type: 'object',
				properties: { address: { anyOf: [{ $ref: '#/$defs/Address' }, { type: 'null' }] }, loop: { $ref: '#/$defs/Loop' } },
				required: ['address'],
			},
			Address: { type: 'object', title: 'Address' },
			Loop: { $ref: '#/$defs/Loop' },
		},
	});
	assert.deepEqual(
		fields.map(({ id, displayName, type }) => [id, displayName, type]),
		[
			['address', 'Address', 'object'],
			['loop', 'loop', undefined],
		],
	);
});

test('a module without schema has no fields', () => {
	assert.deepEqual(mapperFields(null), []);
	assert.deepEqual(mapperFields({ type: 'object' }), []);
});
