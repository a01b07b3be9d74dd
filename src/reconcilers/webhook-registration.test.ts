import { expect } from "chai";
import { createAuthority } from "../pki/create-authority.ts";
import { generateKey } from "../pki/generate-key.ts";
import { decideRegistration } from "./webhook-registration.ts";

function authority(): string {
	const validity = { notBeforeMs: 0, notAfterMs: Date.UTC(2030, 0, 1) };
	return createAuthority({ name: "test", keys: generateKey(), validity });
}

const bundle = authority();
const name = "validate.lateen.dev";

function seen(
	caBundle: string,
	url = "",
): Parameters<typeof decideRegistration>[0] {
	return {
		webhooks: [
			{ name: "other", caBundle: "", url: "" },
			{ name, caBundle, url },
		],
	};
}

describe("decideRegistration", () => {
	const want = { bundle, url: undefined };

	it("says the bundle, and nothing else, where it is missing", () => {
		expect(decideRegistration(seen(""), want)).to.deep.equal({
			action: "apply",
			name: "lateen",
			webhooks: [{ name, clientConfig: { caBundle: btoa(bundle) } }],
		});
	});

	it("says it where there is another", () => {
		expect(decideRegistration(seen(authority()), want)).to.include({
			action: "apply",
		});
	});

	it("says it again where there is more than that", () => {
		expect(decideRegistration(seen(bundle + authority()), want)).to.include({
			action: "apply",
		});
	});

	it("leaves a bundle alone that holds the same in other lines", () => {
		const other = `# mine\n${bundle.replaceAll("\n", "\r\n")}`;
		expect(decideRegistration(seen(other), want).action).to.equal("nothing");
	});

	it("waits for a configuration that does not exist, as only its owner knows the rest of it", () => {
		expect(decideRegistration(undefined, want).action).to.equal("wait");
		expect(decideRegistration({ webhooks: [] }, want).action).to.equal("wait");
	});

	it("never takes trust away because there is no bundle", () => {
		const none = { bundle: "", url: undefined };
		expect(decideRegistration(seen(bundle), none).action).to.equal("nothing");
	});

	it("says the whole configuration for a control plane that is reached by URL", () => {
		const url = "https://127.0.0.1:15017/validate";
		const decision = decideRegistration(undefined, { bundle, url });
		if (decision.action !== "apply") throw new Error(decision.action);
		expect(decision.name).to.equal("lateen-url");
		expect(decision.webhooks[0]).to.deep.include({
			name,
			failurePolicy: "Ignore",
			clientConfig: { url, caBundle: btoa(bundle) },
		});
		expect(
			decideRegistration(seen(bundle, url), { bundle, url }).action,
		).to.equal("nothing");
		expect(
			decideRegistration(seen(bundle, "https://x/"), { bundle, url }).action,
		).to.equal("apply");
	});
});
