import type { HttpResponse } from "../lib/handler.ts";
import { failure } from "./answers.ts";
import type { ProxyState } from "./readers.ts";

/**
 * The proxy of this id, or the only one of this workload; else the answer that
 * says what is wrong. A name without a namespace is in `default`, as it is for
 * `lateen bootstrap`.
 */
export function findProxy(
	all: readonly ProxyState[],
	name: string,
): { readonly proxy: ProxyState } | { readonly refusal: HttpResponse } {
	const byId = all.filter(({ id }) => id === name);
	const wanted = name.includes("/") ? name : `default/${name}`;
	const found =
		byId.length > 0 ? byId : all.filter(({ workload }) => workload === wanted);
	const [proxy, ...others] = found;
	if (proxy === undefined)
		return {
			refusal: failure(
				404,
				`No proxy of the name ${name} is connected. GET /v1/proxies lists those that are.`,
			),
		};
	if (others.length > 0)
		return {
			refusal: failure(
				409,
				`${found.length} proxies of ${name} are connected. Name one by its id: ${found.map(({ id }) => id).join(", ")}.`,
			),
		};
	return { proxy };
}
