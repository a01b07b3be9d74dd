import { expect } from "chai";
import { type Asked, errorOf } from "./error-of.ts";
import { resources } from "./resources.ts";

const asked: Asked = {
	verb: "patch",
	resource: resources.RouteRule,
	namespace: "shop",
	name: "reviews",
	subresource: "status",
};

function answer(
	status: number,
	body: Readonly<Record<string, unknown>> | string,
	headers: readonly (readonly [string, string])[] = [],
) {
	return {
		status,
		headers: new Map(headers),
		text:
			typeof body === "string"
				? body
				: JSON.stringify({ kind: "Status", status: "Failure", ...body }),
	};
}

describe("errorOf", () => {
	const cases = [
		{
			name: "missing rights",
			answer: answer(403, {
				reason: "Forbidden",
				message: 'User "x" cannot patch',
			}),
			code: "KUBE_FORBIDDEN",
			retryable: false,
			says: "Give the role the verb patch on routerules/status of lateen.dev.",
		},
		{
			name: "a namespace that is being deleted",
			answer: answer(403, {
				reason: "Forbidden",
				details: { causes: [{ reason: "NamespaceTerminating" }] },
			}),
			code: "KUBE_FORBIDDEN",
			retryable: false,
			says: "because the namespace is being deleted",
		},
		{
			name: "an object that is gone",
			answer: answer(404, { reason: "NotFound", details: { name: "reviews" } }),
			code: "KUBE_NOT_FOUND",
			retryable: false,
			says: 'There is nothing to be found for "patch routerules/status reviews in namespace shop".',
		},
		{
			name: "a namespace that is not there",
			answer: answer(404, {
				reason: "NotFound",
				message: 'namespaces "shop" not found',
				details: { name: "shop", kind: "namespaces" },
			}),
			code: "KUBE_NOT_FOUND",
			retryable: false,
			says: "There is no namespace shop, so",
		},
		{
			name: "a kind that is not there",
			answer: answer(404, "404 page not found\n"),
			code: "KUBE_NOT_FOUND",
			retryable: false,
			says: "does not know routerules of lateen.dev at v1alpha1",
		},
		{
			name: "another writer",
			answer: answer(409, { reason: "Conflict", message: "modified" }),
			code: "KUBE_CONFLICT",
			retryable: true,
			says: "Someone else changed or made the object",
		},
		{
			name: "an object that exists already",
			answer: answer(409, { reason: "AlreadyExists" }),
			code: "KUBE_CONFLICT",
			retryable: true,
			says: "Someone else changed or made the object",
		},
		{
			name: "a version that is too old",
			answer: answer(410, { reason: "Expired" }),
			code: "KUBE_EXPIRED",
			retryable: true,
			says: "List again.",
		},
		{
			name: "a refused object",
			answer: answer(422, {
				reason: "Invalid",
				message: "status.proxies.total: Invalid value: -1",
			}),
			code: "KUBE_INVALID",
			retryable: false,
			says: "It says: status.proxies.total: Invalid value: -1.",
		},
		{
			name: "a field that an older CRD does not have",
			answer: answer(500, {
				message:
					"failed to create typed patch object (shop/reviews; lateen.dev/v1alpha1, Kind=RouteRule): .status.proxies: field not declared in schema",
			}),
			code: "KUBE_UNKNOWN_FIELD",
			retryable: false,
			says: "Apply the CRDs that belong to this version of Lateen.",
		},
		{
			name: "too many requests",
			answer: answer(429, { reason: "TooManyRequests" }),
			code: "KUBE_BUSY",
			retryable: true,
			says: "too much to do",
		},
		{
			name: "credentials that are not accepted",
			answer: answer(401, { reason: "Unauthorized" }),
			code: "KUBE_UNAUTHENTICATED",
			retryable: false,
			says: "does not accept the credentials",
		},
		{
			name: "a version that is not there yet",
			answer: answer(504, { reason: "Timeout" }),
			code: "KUBE_FAILED",
			retryable: true,
			says: "with 504",
		},
		{
			name: "something on the way that speaks no Kubernetes",
			answer: answer(502, "<html>Bad gateway</html>"),
			code: "KUBE_FAILED",
			retryable: true,
			says: 'failed at "patch routerules/status reviews in namespace shop" with 502. Try',
		},
	] as const;
	for (const { name, answer: given, code, retryable, says } of cases)
		it(`explains ${name}`, () => {
			const error = errorOf(given, asked);
			expect(error).to.include({ code, retryable, status: given.status });
			expect(error.message).to.contain(says);
		});

	it("passes on how long to wait, from the header or the body", () => {
		const inHeader = errorOf(answer(429, {}, [["retry-after", "7"]]), asked);
		expect(inHeader.retryAfterMs).to.equal(7000);
		const inBody = errorOf(
			answer(429, { details: { retryAfterSeconds: 2 } }),
			asked,
		);
		expect(inBody.retryAfterMs).to.equal(2000);
		expect(errorOf(answer(429, {}), asked).retryAfterMs).to.equal(undefined);
	});

	it("quotes nothing of a Secret", () => {
		const error = errorOf(
			answer(422, { reason: "Invalid", message: 'Invalid value: "hunter2"' }),
			{ ...asked, resource: resources.Secret },
		);
		expect(error.message).not.to.contain("hunter2");
	});

	it("quotes no more than helps", () => {
		const error = errorOf(answer(500, { message: "x".repeat(9999) }), asked);
		expect(error.message.length).to.be.below(1300);
	});
});
