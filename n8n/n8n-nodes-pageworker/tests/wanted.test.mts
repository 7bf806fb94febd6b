import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isSame, wantedOf } from '../nodes/PageworkerTrigger/wanted.js';

test('a subscription of the same URL, events and modules is the same', () => {
	const wanted = wantedOf('https://n8n.test/webhook/1', ['job.*', 'event.retrying'], 'shop.*, a ,');
	assert.deepEqual(wanted.modules, ['a', 'shop.*']);
	const listed = { ...wanted, subscription_id: 'sub_1', state: 'active' };
	assert.ok(isSame({ ...listed, events: ['event.retrying', 'job.*'] }, wanted));
	assert.ok(!isSame({ ...listed, url: 'https://n8n.test/webhook/2' }, wanted));
	assert.ok(!isSame({ ...listed, events: ['job.*'] }, wanted));
	assert.deepEqual(wantedOf('u', ['event.paused'], 'shop.*').modules, []);
});
