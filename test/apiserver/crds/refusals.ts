import type { ApiAnswer } from "../../testkit/kube-cluster.ts";

/** One thing that the API server found wrong with an object. */
export interface Refusal {
	/** The field; map keys stand behind dots, as the server prints them. */
	readonly path: string;
	readonly message: string;
}

/** What the API server refused an object for; empty when it took it. */
export function refusalsOf({ status, body }: ApiAnswer): readonly Refusal[] {
	if (status < 300) return [];
	const { message, details } = body as {
		readonly message: string;
		readonly details?: {
			readonly causes?: readonly {
				readonly field: string;
				readonly message: string;
			}[];
		};
	};
	const unknown = [...message.matchAll(/unknown field "([^"]*)"/g)].map(
		([, path = ""]) => ({ path, message }),
	);
	if (unknown.length > 0) return unknown;
	const { causes } = details ?? {};
	if (causes === undefined) return [{ path: "", message }];
	return causes.map((cause) => ({
		path: cause.field === "<nil>" ? "" : cause.field,
		message: cause.message,
	}));
}

/** A path as we print it, in the server's form: `a.b[0].c` for `a.b[0][c]`. */
export function asServerPath(path: string): string {
	return path.replaceAll(/\[([^\]\d][^\]]*)\]/g, ".$1");
}
