{#- made by docs/dbt_staging.py from the catalogue -#}
{% macro resources() %}
{% do return(['transactions', 'broker_transactions', 'customers', 'customer_compliance_history', 'accounts', 'orders', 'transfers', 'hot_wallet_mutations', 'mails', 'payment_methods', 'currencies', 'prices', 'reserves', 'balances', 'customer_balances']) %}
{% endmacro %}

{% macro windowed() %}
{#- Resources that are loaded in windows of the time of creation; others are loaded whole. -#}
{% do return(['transactions', 'broker_transactions', 'customers', 'accounts', 'orders', 'transfers', 'hot_wallet_mutations', 'mails']) %}
{% endmacro %}

{% macro statuses(resource, phase) %}
{#- The known statuses of a phase, in upper case. -#}
{% do return({
    'transactions': {
        'in_flight': ['INITIATED', 'STAGED', 'SENDING', 'CONFIRMING', 'TOCANCEL', 'TOPAYOUT', 'PAYOUTCONFIRMING'],
        'held': ['BLOCKED'],
        'succeeded': ['COMPLETED', 'SIMULATED'],
        'failed': ['CANCELLED'],
    },
    'broker_transactions': {
        'in_flight': ['BUYINCASSO', 'TOPAYOUT', 'PAYOUTCONFIRMING', 'SELLTOBERETURNED'],
        'held': ['PAYOUTONHOLD', 'BLOCKED'],
        'succeeded': ['BUYCOMPLETED', 'SELLCOMPLETED'],
        'failed': ['SELLRETURNED'],
    },
    'customers': {
        'in_flight': ['NEW'],
        'held': ['UNDERREVIEW', 'BLOCKED'],
        'succeeded': ['ACTIVE'],
        'failed': ['DELETED'],
    },
    'accounts': {
        'in_flight': ['NEW', 'VALID'],
        'succeeded': ['ACTIVE'],
        'failed': ['INVALID', 'DELETED'],
    },
    'orders': {
        'in_flight': ['INITIATED', 'QUEUED', 'OPEN', 'TOCANCEL'],
        'succeeded': ['FILLED'],
        'failed': ['REJECTED', 'EXPIRED', 'CANCELLED'],
    },
    'transfers': {
        'in_flight': ['INITIATED', 'SENDING', 'CONFIRMING', 'TOCANCEL'],
        'succeeded': ['COMPLETED'],
        'failed': ['CANCELLED', 'REJECTED'],
    },
    'mails': {
        'in_flight': ['READYTOSEND'],
        'succeeded': ['SENT'],
        'failed': ['DELETED'],
    },
}[resource][phase]) %}
{% endmacro %}

{% macro amounts(resource) %}
{#- Amounts that manifests have sums of: name on the wire, column, column of the currency, digits after the point. -#}
{% do return({
    'transactions': [
        ['requestedAmounts.cryptoAmount', 'requested_crypto_amount', 'crypto_code', 24],
        ['requestedAmounts.fiatValue', 'requested_fiat_value', 'currency_code', 20],
        ['executedAmounts.cryptoAmount', 'executed_crypto_amount', 'crypto_code', 24],
        ['executedAmounts.fiatValue', 'executed_fiat_value', 'currency_code', 20],
        ['fees.partnerFeeFiat', 'partner_fee_fiat', 'currency_code', 20],
        ['fees.bankFeeFiat', 'bank_fee_fiat', 'currency_code', 20],
        ['fees.networkFeeFiat', 'network_fee_fiat', 'currency_code', 20],
        ['fees.networkFeeCrypto', 'network_fee_crypto', 'crypto_code', 24],
        ['fees.actualNetworkFeeFiat', 'actual_network_fee_fiat', 'currency_code', 20],
        ['fees.actualNetworkFeeCrypto', 'actual_network_fee_crypto', 'crypto_code', 24],
        ['fees.partnerFeeCrypto', 'partner_fee_crypto', 'crypto_code', 24],
        ['fees.bankFeeCrypto', 'bank_fee_crypto', 'crypto_code', 24],
        ['balanceMutation.crypto', 'balance_mutation_crypto', 'crypto_code', 24],
        ['balanceMutation.fiat', 'balance_mutation_fiat', 'currency_code', 20],
        ['swapMarginAmountCrypto', 'swap_margin_amount_crypto', 'crypto_code', 24],
        ['fiatAmountToPay', 'fiat_amount_to_pay', 'currency_code', 20],
        ['baseFiatAmountToPay', 'base_fiat_amount_to_pay', 'currency_code', 20],
    ],
    'broker_transactions': [
        ['cryptoAmount', 'crypto_amount', 'crypto_code', 24],
        ['cryptoExpectedAmount', 'crypto_expected_amount', 'crypto_code', 24],
        ['cryptoSent', 'crypto_sent', 'crypto_code', 24],
        ['cryptoTraded', 'crypto_traded', 'crypto_code', 24],
        ['tradeValue', 'trade_value', 'currency_code', 20],
        ['bankCommission', 'bank_commission', 'currency_code', 20],
        ['partnerCommission', 'partner_commission', 'currency_code', 20],
        ['networkCommission', 'network_commission', 'currency_code', 20],
        ['payout', 'payout', 'currency_code', 20],
    ],
    'customers': [
    ],
    'customer_compliance_history': [
    ],
    'accounts': [
    ],
    'orders': [
        ['amount', 'amount', 'currency_code', 20],
        ['executed.amount', 'executed_amount', 'crypto_code', 24],
        ['executed.value', 'executed_value', 'currency_code', 20],
        ['executed.fee', 'executed_fee', 'currency_code', 20],
    ],
    'transfers': [
        ['amount', 'amount', 'crypto_code', 24],
    ],
    'hot_wallet_mutations': [
        ['cryptoAmount', 'crypto_amount', 'crypto_code', 24],
    ],
    'mails': [
    ],
    'payment_methods': [
    ],
    'currencies': [
    ],
    'prices': [
    ],
    'reserves': [
        ['total', 'total', 'code', 24],
        ['locked', 'locked', 'code', 24],
        ['available', 'available', 'code', 24],
        ['unconfirmed', 'unconfirmed', 'code', 24],
    ],
    'balances': [
        ['locked', 'locked', 'code', 24],
        ['total', 'total', 'code', 24],
        ['available', 'available', 'code', 24],
    ],
    'customer_balances': [
        ['locked', 'locked', 'code', 24],
        ['total', 'total', 'code', 24],
        ['available', 'available', 'code', 24],
    ],
}[resource]) %}
{% endmacro %}
