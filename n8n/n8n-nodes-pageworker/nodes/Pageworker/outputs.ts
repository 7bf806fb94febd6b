/** Results as output items. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import { descriptionOf, outputOf, OUTPUTS, reasonOf, SUCCEEDED } from './jobResult';
import type { JobResult } from './jobResult';

/**
 * Results in the order of the items. Throws NodeOperationError for the first job that did not succeed, unless the node
 * has an output for it, or n8n is to continue.
 */
export function outputs(context: IExecuteFunctions, results: JobResult[]): INodeExecutionData[][] {
	const separate = context.getNodeParameter('onFailure', 0) === 'outputs';
	const found: INodeExecutionData[][] = Array.from({ length: separate ? OUTPUTS : 1 }, () => []);
	for (const [itemIndex, result] of results.entries()) {
		const output = outputOf(result);
		const item: INodeExecutionData = { json: result as IDataObject, pairedItem: { item: itemIndex } };
		if (output !== SUCCEEDED && !separate) {
			const error = new NodeOperationError(context.getNode(), reasonOf(result), {
				itemIndex,
				description: descriptionOf(result),
			});
			if (!context.continueOnFail()) throw error;
			// n8n moves items with an error to its error output. On the regular one it would replace the result.
			if (context.getNode().onError === 'continueErrorOutput') item.error = error;
		}
		found[separate ? output : 0].push(item);
	}
	return found;
}
