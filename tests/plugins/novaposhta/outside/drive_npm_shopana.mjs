// Drives npm @shopana/novaposhta-api-client 0.0.1 over its fetch transport: ...General models, its own retries.
import {
	AddressService, ContactPersonService, CounterpartyService, ReferenceService, TrackingService, WaybillService,
	createClient, isDocumentDelivered,
} from '@shopana/novaposhta-api-client';
import { createFetchHttpTransport } from '@shopana/novaposhta-transport-fetch';

const settings = JSON.parse(process.argv[2]);
const { sender, person, today } = settings;
const connect = (apiKey) => createClient({
	transport: createFetchHttpTransport(),
	baseUrl: settings.api_url,
	apiKey,
	rateLimitRetry: { maxRetries: 2, delayMs: 1 },
})
	.use(new AddressService()).use(new ContactPersonService()).use(new CounterpartyService())
	.use(new ReferenceService()).use(new TrackingService()).use(new WaybillService());
const arm = (fault) => fetch(`${settings.url}/_sandbox/fault`, { method: 'POST', body: JSON.stringify(fault) });

async function main() {
	const api = connect(settings.api_key);
	const out = {};
	const [found] = (await api.address.searchSettlements({ CityName: 'Львів', Limit: 5 })).data;
	const city = found.Addresses[0].DeliveryCity;
	const [branch] = (await api.address.getWarehouses({ CityRef: city })).data;
	out.branch = branch.Ref;
	out.areas = (await api.address.getSettlements()).data.length;
	out.types = (await api.reference.getServiceTypes()).data.length;
	out.keyless = (await connect('').reference.getCargoTypes()).success;

	const [saved] = (await api.counterparty.save({
		CounterpartyType: 'PrivatePerson',
		CounterpartyProperty: 'Recipient',
		FirstName: person.first,
		LastName: person.last,
		MiddleName: person.middle,
		Phone: person.phone,
	})).data;
	const again = await api.contactPerson.save({
		CounterpartyRef: saved.Ref,
		FirstName: person.first,
		LastName: person.last,
		MiddleName: person.middle,
		Phone: person.phone,
	});
	out.again = [again.warnings, again.warningCodes];

	const form = {
		PayerType: 'Recipient',
		PaymentMethod: 'Cash',
		DateTime: today,
		CargoType: 'Parcel',
		Weight: 0.5,
		VolumeGeneral: 0.004,
		ServiceType: 'WarehouseWarehouse',
		SeatsAmount: 1,
		Description: 'Косметика',
		Cost: 500,
		CitySender: sender.city,
		Sender: sender.counterparty,
		SenderAddress: sender.address,
		ContactSender: sender.contact,
		SendersPhone: sender.phone,
		CityRecipient: city,
		Recipient: saved.Ref,
		RecipientAddress: branch.Ref,
		ContactRecipient: saved.ContactPerson.data[0].Ref,
		RecipientsPhone: person.phone,
		InfoRegClientBarcodes: 'outside-5',
	};
	const estimate = await api.waybill.getEstimate(form);
	out.estimate = [estimate.price.data[0].Cost, estimate.deliveryDate.data[0].DeliveryDate.timezone];

	await arm({ kind: 'rate_limit', times: 2, match: 'InternetDocument.save' });
	const made = await api.waybill.create(form);
	out.made = made.data[0];
	await arm({ kind: 'rate_limit', times: 3, match: 'InternetDocument.save' });
	out.limited = (await api.waybill.create(form)).errorCodes;

	const { VolumeGeneral, ...rest } = form;
	const locker = await api.waybill.createToPostomat({
		...rest,
		ServiceType: 'WarehousePostomat',
		RecipientAddress: settings.lviv_postomat,
		OptionsSeat: [{ Weight: 1, VolumetricWidth: 20, VolumetricLength: 30, VolumetricHeight: 10 }],
	});
	out.locker = locker.data[0].IntDocNumber;

	const record = await api.tracking.trackDocument(settings.received, person.phone);
	out.received = [record.StatusCode, isDocumentDelivered(record)];
	const many = await api.tracking.trackMultiple([settings.received, made.data[0].IntDocNumber, '20400048799000']);
	out.many = [many.successful.length, many.failed, many.statistics.delivered];
	out.listed = (await api.tracking.getDocumentList({ DateTimeFrom: today, DateTimeTo: today, GetFullList: '1' })).data
		.map((row) => row.ClientBarcode);

	out.deleted = (await api.waybill.deleteBatch([made.data[0].Ref])).data;
	out.refused = await api.waybill.create({ ...form, CityRecipient: 'nowhere' });
	out.wrongKey = await connect('nonsense').counterparty.getCounterparties({ CounterpartyProperty: 'Sender' });
	console.log(JSON.stringify(out));
}

main().catch((error) => {
	console.error(error);
	process.exit(1);
});
