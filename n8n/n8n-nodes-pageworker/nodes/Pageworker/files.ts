/** Binary fields of items as files of jobs. */
import type { IDataObject, IExecuteFunctions } from 'n8n-workflow';

import { repeatable } from './api';

const UPLOAD_SECONDS = 300;

interface ChosenFile {
	name?: string;
	binaryPropertyName: string;
}

/** Uploads the files that the parameters of one item name. The same bytes may be uploaded several times without harm. */
export async function uploaded(context: IExecuteFunctions, itemIndex: number): Promise<IDataObject[]> {
	const chosen = context.getNodeParameter('files.file', itemIndex, []) as ChosenFile[];
	const found: IDataObject[] = [];
	for (const { name, binaryPropertyName } of chosen) {
		const { fileName, mimeType } = context.helpers.assertBinaryData(itemIndex, binaryPropertyName);
		const bytes = await context.helpers.getBinaryDataBuffer(itemIndex, binaryPropertyName);
		const fullName = name?.trim() || fileName || binaryPropertyName;
		const { body } = await repeatable<{ file_id: string; sha256: string }>(context, {
			method: 'POST',
			path: '/v1/files',
			query: { name: fullName },
			upload: { bytes, type: mimeType },
			timeoutSeconds: UPLOAD_SECONDS,
			itemIndex,
		});
		found.push({ name: fullName, file_id: body.file_id, sha256: body.sha256 });
	}
	return found;
}
